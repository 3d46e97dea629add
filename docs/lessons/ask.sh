# source docs/lessons/ask.sh     then, with HaloLight on port 8000:
#
# ask demo /api/tasks            what that account gets: admin, manager, demo, guest or auditor
# ask demo /api/tasks -d '{}'    options after the path go to curl; -d makes it a POST
# sql first                      the SQL statements of the request whose X-Request-ID was `first`
# post /api/auth/refresh '{}'    a POST without an access token
# post … | pick refreshToken     one value of the reply
# language=zh ask demo …         the reply in Chinese
api() { curl -sS -H 'Content-Type: application/json' -H "Accept-Language: ${language:-en}" -w '\n' "$@"; }

post() { api "localhost:8000$1" -d "$2"; }

pick() { python -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }

ask() {
  local url="localhost:8000$2" reply
  reply=$(post /api/demo/login "{\"email\": \"$1@halolight.h7ml.cn\"}") || return
  shift 2
  api "$url" -H "Authorization: Bearer $(echo "$reply" | pick accessToken)" "$@" |
    python -m json.tool --no-ensure-ascii
}

sql() {
  local reply
  reply=$(api "localhost:8000/api/demo/requests/$1") || return
  echo "$reply" | python -c '
import json, sys
for each in json.load(sys.stdin)["data"]["statements"]:
    print(each["sql"].replace("\"", ""))
    print("   values", ", ".join(map(str, each["values"])), "| rows", each["rows"], "| ms", each["ms"])'
}
