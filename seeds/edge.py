"""x"""

PEOPLE: list = []
ROLES: list = []
