"""Airflow on a cluster: by the official chart, or by plain manifests."""
