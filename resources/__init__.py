"""The resources of the API, one module each; a new one is added to this list."""

from resources import auth, avatars, contacts, tasks, users

RESOURCES = (auth.blp, users.blp, contacts.blp, avatars.blp, tasks.blp)
