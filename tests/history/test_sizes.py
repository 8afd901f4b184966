"""What docs/history.md says of sizes and plans is measured by a command that works."""

import pytest

from sploot_clusterd.history.schema import OF_A_PET
from tests.history.sizes import main


@pytest.mark.bench
@pytest.mark.parametrize("database", ["sqlite", "wheel"])
def test_sizes_times_and_plans_are_told(capsys, database):
    main(["--pets", "12", "--hot", "600", "--only", database])
    told = capsys.readouterr().out
    assert all(f"| `{table.name}` |" in told for table in OF_A_PET)
    assert "of a pet with 600 versions |" in told
    members = told.partition("members at a version:")[2].partition("\n\n")[0]
    assert "cluster_members_by_pet" in members or "cluster_members_open" in members
    assert "OFFSET" not in told
