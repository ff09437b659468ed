<?php
// PHPMailer writes the headers of its messages itself: here it gets the body and some headers.
require '/usr/share/php/libphp-phpmailer/autoload.php';

[$head, $body] = explode("\n\n", str_replace("\r\n", "\n", stream_get_contents(STDIN)), 2);
preg_match_all('/^([\w-]+): (.*)$/m', $head, $found);
$headers = array_combine($found[1], $found[2]);

$mail = new PHPMailer\PHPMailer\PHPMailer(true);
$mail->isSMTP();
$mail->Host = getenv('SMTP_HOST');
$mail->Port = (int) getenv('SMTP_PORT');
$mail->Helo = 'client.example.org';
$mail->SMTPAutoTLS = false;
$mail->SMTPSecure = ['starttls' => 'tls', 'implicit' => 'ssl', '' => ''][getenv('SMTP_TLS')];
$mail->SMTPOptions = ['ssl' => ['cafile' => getenv('SMTP_CERTIFICATE')]];
$mail->SMTPAuth = getenv('SMTP_USER') !== '';
$mail->Username = getenv('SMTP_USER');
$mail->Password = getenv('SMTP_PASSWORD');
$mail->Sender = getenv('SMTP_SENDER');
$mail->setFrom(getenv('SMTP_SENDER'), 'Sender');
$mail->addAddress(getenv('SMTP_RECIPIENT'));
$mail->Subject = $headers['Subject'];
$mail->MessageID = $headers['Message-ID'];
$mail->MessageDate = $headers['Date'];
$mail->CharSet = 'utf-8';
$mail->Encoding = '8bit';
$mail->Body = $body;
$mail->send();
