"""
The jobs of L{tests.net.program} in a process that is held by nothing.
"""

from tests.net.program import weak

main = weak()
