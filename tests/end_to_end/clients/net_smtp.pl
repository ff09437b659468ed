# Net::SMTP, of Perl's own distribution.
use strict;
use warnings;
use Net::SMTP;

my %env = %ENV;
my @trust = (SSL_ca_file => $env{SMTP_CERTIFICATE}, SSL_verify_mode => 1);
my $smtp = Net::SMTP->new(
    $env{SMTP_HOST},
    Port  => $env{SMTP_PORT},
    Hello => 'client.example.org',
    SSL   => $env{SMTP_TLS} eq 'implicit',
    @trust,
) or die "no connection: $@";
sub ok { my ($done, $what) = @_; $done or die "$what: " . $smtp->code . ' ' . $smtp->message }

ok($smtp->starttls(@trust), 'STARTTLS') if $env{SMTP_TLS} eq 'starttls';
ok($smtp->auth($env{SMTP_USER}, $env{SMTP_PASSWORD}), 'AUTH') if $env{SMTP_USER};
ok($smtp->mail($env{SMTP_SENDER}), 'MAIL');
ok($smtp->to($env{SMTP_RECIPIENT}), 'RCPT');
ok($smtp->data, 'DATA');
binmode STDIN;
while (my $line = <STDIN>) { ok($smtp->datasend($line), 'text') }
ok($smtp->dataend, 'end of text');
ok($smtp->quit, 'QUIT');
