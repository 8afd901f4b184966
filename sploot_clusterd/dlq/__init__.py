"""The dead letters, for those who run the daemon: `clusterd dlq list | show | replay | drop`."""
