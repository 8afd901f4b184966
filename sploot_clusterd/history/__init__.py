"""What was, in SQL: versions, members, jobs and snapshots of every pet. The only room that knows SQL.

It is imported only where `history.url` is set, and needs the extra `history`.
"""
