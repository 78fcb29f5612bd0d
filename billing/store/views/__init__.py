"""Read queries for whoever shows what runs made: `(connection, …)` in, frozen values out.

Every query about bills takes a `Scope`, which says whose bills may be seen. Definitions that lines
rest on are parsed once: a version never changes.
"""
