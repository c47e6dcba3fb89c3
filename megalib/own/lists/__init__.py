"""Lists of pictures that people and programs write.

::

    tables | exchange → columns → paths, dates, boxes → rows_of
"""
