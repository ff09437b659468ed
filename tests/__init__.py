"""
The tests, laid out like the package they hold to account.
"""

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing else.
settings.register_profile("mailgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mailgate")
