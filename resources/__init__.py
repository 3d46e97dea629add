"""The resources of the API, one module each; add a new one to one of the groups."""

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

PEOPLE = (auth, sessions, users, contacts, avatars, roles, permissions, teams)
STORAGE = (documents, folders, files)
WORK = (messages, conversations, notifications, calendar, tasks)
OVERVIEW = (dashboard, system)
RESOURCES = [module.blp for module in (*PEOPLE, *STORAGE, *WORK, *OVERVIEW)]
