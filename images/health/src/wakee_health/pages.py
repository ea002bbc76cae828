"""HTML pages from the templates beside this module."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """Fill a template; all values are escaped."""
    environment = Environment(
        loader=PackageLoader("wakee_health"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template).render(**values)
