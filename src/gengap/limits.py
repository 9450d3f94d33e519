"""Numbers that the planning shares with the packages that compute; nothing here is imported.

The memory and the time that a job asks for rest on these constants, so they stand in one place.
"""
