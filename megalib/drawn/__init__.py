"""Drawn animals for the demo: photographs cannot ship with the compendium, drawings can.

Four species whose coats are their identity, in a world as hard as one likes::

    world → survey: what each picture shall show, which is the truth
    animals, places → photographs: a shot becomes a picture and masks
    drawing: a folder of pictures, masks, annotations and truth
"""
