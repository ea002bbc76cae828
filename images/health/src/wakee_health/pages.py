"""HTML pages from the package's templates."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """Render a template. All values are escaped."""
    environment = Environment(
        loader=PackageLoader("wakee_health"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template).render(**values)
