"""The one place that states the version; pyproject.toml and the User-Agent read it from here."""

__version__ = "0.1.0"

# Feature that this copy was made without -> the names that it would offer: filled in by scripts/vendor.
LEFT_OUT: "dict[str, str]" = {}
