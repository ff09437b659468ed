// Jakarta Mail, with a message that is ready.
import jakarta.mail.Address;
import jakarta.mail.Session;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeMessage;
import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Properties;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class JakartaMail {
    public static void main(String[] arguments) throws Exception {
        var env = System.getenv();
        var tls = env.get("SMTP_TLS");
        var user = env.get("SMTP_USER");
        var properties = new Properties();
        properties.put("mail.transport.protocol", "smtp");
        properties.put("mail.smtp.host", env.get("SMTP_HOST"));
        properties.put("mail.smtp.port", env.get("SMTP_PORT"));
        properties.put("mail.smtp.localhost", "client.example.org");
        properties.put("mail.smtp.from", env.get("SMTP_SENDER"));
        properties.put("mail.smtp.allow8bitmime", "true");
        properties.put("mail.smtp.auth", String.valueOf(!user.isEmpty()));
        properties.put("mail.smtp.ssl.enable", String.valueOf(tls.equals("implicit")));
        properties.put("mail.smtp.starttls.required", String.valueOf(tls.equals("starttls")));
        properties.put("mail.smtp.starttls.enable", String.valueOf(tls.equals("starttls")));
        var trust = trust(env.get("SMTP_CERTIFICATE"));
        properties.put("mail.smtp.ssl.socketFactory", trust.getSocketFactory());

        var session = Session.getInstance(properties);
        var message = new MimeMessage(session, System.in);
        try (var transport = session.getTransport()) {
            transport.connect(user, env.get("SMTP_PASSWORD"));
            Address[] recipients = {new InternetAddress(env.get("SMTP_RECIPIENT"))};
            transport.sendMessage(message, recipients);
        }
    }

    private static SSLContext trust(String path) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var file = new FileInputStream(path)) {
            var certificate = CertificateFactory.getInstance("X.509").generateCertificate(file);
            store.setCertificateEntry("gateway", certificate);
        }
        var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }
}
