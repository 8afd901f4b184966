"""The partitions of the stream, for those who run the daemon or send jobs: `clusterd partitions show | code`."""
