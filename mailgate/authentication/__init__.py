"""
Who a message is really from: SPF, DKIM, DMARC, and the header field that tells the results.
"""
