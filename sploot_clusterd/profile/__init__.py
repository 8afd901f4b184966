"""Encoder profiles, for those who run the daemon: `clusterd profile list | show | freeze | export | import`."""
