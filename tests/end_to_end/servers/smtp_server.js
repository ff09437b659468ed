// A mail server made with smtp-server, the one of Nodemailer; see README.rst.
const fs = require('fs');
const path = require('path');
const {SMTPServer} = require('smtp-server');

const {SMTP_PORT, SMTP_CERTIFICATE, SMTP_KEY, SMTP_FOLDER} = process.env;
let number = 0;

const nameOf = (address) => address.address.split('@')[0];

new SMTPServer({
  name: 'node.example.org',
  authOptional: true,
  size: 50 * 1024 * 1024,
  cert: fs.readFileSync(SMTP_CERTIFICATE),
  key: fs.readFileSync(SMTP_KEY),
  onRcptTo(address, session, done) {
    if (['ada', 'bob'].includes(nameOf(address))) {
      done();
    } else {
      done(Object.assign(new Error('5.1.1 nobody of that name'), {responseCode: 550}));
    }
  },
  onData(stream, session, done) {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      number += 1;
      for (const address of session.envelope.rcptTo) {
        const file = path.join(SMTP_FOLDER, `${nameOf(address)}.${number}`);
        fs.writeFileSync(`${file}.part`, Buffer.concat(chunks));
        fs.renameSync(`${file}.part`, file);
      }
      done(null, '2.0.0 kept');
    });
  },
}).listen(SMTP_PORT, '127.0.0.1');
