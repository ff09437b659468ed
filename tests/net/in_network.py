"""
The jobs of L{tests.net.program} in a process that is held by its network alone.
"""

from mailgate.interfaces import Protection
from tests.net.program import weak

main = weak(Protection.NETWORK)
