"""The page for people, `/ui`: its files, and who is logged in. What it shows comes from `/internal`."""

from sploot_clusterd.ui.page import Page

__all__ = ["Page"]
