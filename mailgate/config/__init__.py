"""
The configuration: TOML read into frozen, typed settings.
"""
