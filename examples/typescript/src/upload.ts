/** An upload that tells how far it is, for which browsers have only XMLHttpRequest. */
import { authorization, renew, server, type Schemas } from "./api.js";

export async function upload(file: File, onProgress: (share: number) => void): Promise<Schemas["File"]> {
  const sent = authorization();
  let reply = await send(file, onProgress);
  if (reply.status === 401 && (await renew(sent))) reply = await send(file, onProgress);
  if (reply.status !== 201) {
    const refused: Schemas["Error"] = JSON.parse(reply.responseText);
    throw new Error(refused.message);
  }
  const uploaded: Schemas["FileReply"] = JSON.parse(reply.responseText);
  return uploaded.data;
}

function send(file: File, onProgress: (share: number) => void): Promise<XMLHttpRequest> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${server}/api/files/upload`);
    request.setRequestHeader("Authorization", authorization());
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onload = () => resolve(request);
    request.onerror = () => reject(new Error("The server cannot be reached"));
    const form = new FormData();
    form.set("file", file);
    request.send(form);
  });
}
