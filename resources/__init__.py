"""The resources of the API, one module each; a new one is added to this list."""

from resources import (
    auth,
    avatars,
    calendar,
    contacts,
    conversations,
    dashboard,
    documents,
    files,
    folders,
    messages,
    notifications,
    permissions,
    roles,
    sessions,
    system,
    tasks,
    teams,
    users,
)

RESOURCES = (
    *(auth.blp, sessions.blp, users.blp, contacts.blp, avatars.blp, roles.blp, permissions.blp, teams.blp),
    *(documents.blp, folders.blp, files.blp),
    *(messages.blp, conversations.blp, notifications.blp, calendar.blp, tasks.blp),
    *(dashboard.blp, system.blp),
)
