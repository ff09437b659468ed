// net/smtp, of Go's own library.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/smtp"
	"os"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	host := os.Getenv("SMTP_HOST")
	pem, err := os.ReadFile(os.Getenv("SMTP_CERTIFICATE"))
	must(err)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	trust := &tls.Config{ServerName: host, RootCAs: trusted}

	connection, err := net.Dial("tcp", net.JoinHostPort(host, os.Getenv("SMTP_PORT")))
	must(err)
	if os.Getenv("SMTP_TLS") == "implicit" {
		connection = tls.Client(connection, trust)
	}
	client, err := smtp.NewClient(connection, host)
	must(err)
	must(client.Hello("client.example.org"))
	if os.Getenv("SMTP_TLS") == "starttls" {
		must(client.StartTLS(trust))
	}
	if user := os.Getenv("SMTP_USER"); user != "" {
		must(client.Auth(smtp.PlainAuth("", user, os.Getenv("SMTP_PASSWORD"), host)))
	}
	must(client.Mail(os.Getenv("SMTP_SENDER")))
	must(client.Rcpt(os.Getenv("SMTP_RECIPIENT")))
	text, err := client.Data()
	must(err)
	_, err = io.Copy(text, os.Stdin)
	must(err)
	must(text.Close())
	must(client.Quit())
}
