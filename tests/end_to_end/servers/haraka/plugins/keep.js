// Takes mail for ada and bob, and keeps it in files; see README.rst.
const fs = require('fs');
const path = require('path');

let number = 0;

exports.hook_rcpt = (next, connection, params) => {
  if (['ada', 'bob'].includes(params[0].user)) {
    next(OK);
  } else {
    next(DENY, 'nobody of that name');
  }
};

exports.hook_queue = (next, connection) => {
  const {transaction} = connection;
  transaction.message_stream.get_data((message) => {
    number += 1;
    for (const recipient of transaction.rcpt_to) {
      const file = path.join(process.env.SMTP_FOLDER, `${recipient.user}.${number}`);
      fs.writeFileSync(`${file}.part`, message);
      fs.renameSync(`${file}.part`, file);
    }
    next(OK, 'kept');
  });
};
