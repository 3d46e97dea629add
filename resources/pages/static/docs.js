const ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: true, // the token survives a reload
  tryItOutEnabled: true,
  displayRequestDuration: true,
  validatorUrl: null, // the validator is on another host
  responseInterceptor: (reply) => {
    // Whoever logs in (or renews) through "Try it out" is logged in: there is no token to copy.
    const token = reply.body?.accessToken;
    if (token) {
      ui.preauthorizeApiKey("bearer", token);
      ui.authActions.persistAuthorizationIfNeeded();
    }
    return reply;
  },
});
