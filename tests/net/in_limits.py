"""
The jobs of L{tests.net.program} in a process that is held by its limits alone.
"""

from mailgate.interfaces import Protection
from tests.net.program import weak

main = weak(Protection.LIMITS)
