"""The one place that states the version; pyproject.toml and the User-Agent read it from here."""

__version__ = "0.1.0"

# Module that this copy was made without -> the feature that brings it: filled in by scripts/vendor.
LEFT_OUT: "dict[str, str]" = {}
