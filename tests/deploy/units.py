"""What tests of the unit files share by name."""

UNITS = ("clusterd.service", "clusterd@.service")


def directives(text):
    """(key, value) of every line that is one, in order."""
    lines = (line for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return [tuple(line.split("=", 1)) for line in lines]


def values(unit, key):
    return [value for name, value in unit if name == key]


def only(unit, key):
    [value] = values(unit, key)
    return value


def environment(unit, credentials, instance="0"):
    """What the daemon's environment would be, with systemd's specifiers filled in."""
    assignments = (
        value.replace("%d", str(credentials)).replace("%i", instance) for value in values(unit, "Environment")
    )
    return dict(assignment.split("=", 1) for assignment in assignments)
