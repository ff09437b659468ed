"""
How mail goes out: upstreams, routes, and what is settled after the dot.
"""
