"""Deployment of Airflow: by the official chart, or by plain manifests."""
