"""The manual as a site: `python -m docs.site` builds it from README.md, docs/ and the code; nothing here is installed."""
