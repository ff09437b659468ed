# net-smtp, a gem that comes with Ruby.
require "net/smtp"

smtp = Net::SMTP.new(ENV["SMTP_HOST"], ENV["SMTP_PORT"].to_i)
trust = OpenSSL::SSL::SSLContext.new
trust.set_params(ca_file: ENV["SMTP_CERTIFICATE"])
case ENV["SMTP_TLS"]
when "starttls" then smtp.enable_starttls(trust)
when "implicit" then smtp.enable_tls(trust)
else
  smtp.disable_tls
  smtp.disable_starttls
end
login = ENV["SMTP_USER"].empty? ? [] : [ENV["SMTP_USER"], ENV["SMTP_PASSWORD"], :plain]
smtp.start("client.example.org", *login) do
  smtp.send_message($stdin.binmode.read, ENV["SMTP_SENDER"], ENV["SMTP_RECIPIENT"])
end
