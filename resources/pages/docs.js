SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: true, // the token survives a reload
  tryItOutEnabled: true,
  validatorUrl: null, // the validator is on another host
});
