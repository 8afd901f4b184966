"""Whether a partition is all on one server now."""

from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Gateway


async def probe(gateway: Gateway) -> None:
    """Raises StoreUnavailableError where nothing can be committed to the gateway's partition now: in a cluster a call
    that names a key which is not there is refused while its slot is on its way. One server is not asked.
    """
    if not gateway.is_one_server:
        await gateway.run(scripts.INSPECT, more_keys=[gateway.keys.stream, gateway.keys.absent])
