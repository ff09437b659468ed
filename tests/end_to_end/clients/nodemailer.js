// nodemailer, with a message that is ready.
const fs = require("fs");
const nodemailer = require("nodemailer");

const env = process.env;
const transport = nodemailer.createTransport({
  host: env.SMTP_HOST,
  port: Number(env.SMTP_PORT),
  name: "client.example.org",
  secure: env.SMTP_TLS === "implicit",
  requireTLS: env.SMTP_TLS === "starttls",
  ignoreTLS: env.SMTP_TLS === "",
  tls: { ca: fs.readFileSync(env.SMTP_CERTIFICATE) },
  auth: env.SMTP_USER ? { user: env.SMTP_USER, pass: env.SMTP_PASSWORD } : undefined,
});
transport
  .sendMail({
    envelope: { from: env.SMTP_SENDER, to: env.SMTP_RECIPIENT },
    raw: fs.readFileSync(0),
  })
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
