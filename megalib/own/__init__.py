"""One's own pictures, as people and their programs keep them, become rows and a report.

::

    folders | tables, exchange (JSON, Camtrap DP, Wildbook)
        → columns, names, dates, paths, boxes → listing (rows, what was understood and left out)
"""
