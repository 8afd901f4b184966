"""The manual as a site, built by `python -m docs.site` from README.md, docs/ and the code; nothing here is installed."""
