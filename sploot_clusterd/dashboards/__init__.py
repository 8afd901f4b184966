"""The Grafana dashboard: what it shows (panels), in which queries, as Grafana's JSON (model), and its way there."""
