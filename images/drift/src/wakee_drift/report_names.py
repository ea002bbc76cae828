"""Names of the files that make up a report, side by side in one folder."""

HTML_NAME = "report.html"
JSON_NAME = "report.json"
PNG_NAME = "errors.png"
