"""
Makes C{twistd mailgate} known.
"""

from twisted.application.service import ServiceMaker

mailgate = ServiceMaker(
    "mailgate", "mailgate.tap", "An anti-spam SMTP proxy and mail gateway.", "mailgate"
)
