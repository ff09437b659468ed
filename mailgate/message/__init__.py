"""
The message itself: envelope, bytes, headers, and where they are kept while they are judged.
"""
