"""The manual as a site, which `python -m docs.site` builds from README.md, docs/ and the code. It is not installed."""
