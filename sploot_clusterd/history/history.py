"""History of one process: its database, and who asks it."""

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.lookups import Lookups
from sploot_clusterd.metrics import Metrics


class History:
    """Connects when something is asked: a database that is away keeps no daemon from starting."""

    def __init__(self, settings: HistorySettings, metrics: Metrics) -> None:
        """Raises ConfigError for a URL by which nothing could be reached."""
        self.database = Database.open(settings)
        self.lookups = Lookups(self.database, settings.lookups_per_second, metrics)

    def close(self) -> None:
        self.lookups.close()
        self.database.close()
