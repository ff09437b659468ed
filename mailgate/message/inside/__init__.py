"""
What documents, pages and pictures that are attached would do, and where they lead.
"""
