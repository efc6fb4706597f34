# A server that speaks the protocol, but answers what it is told to: a statement has the bytes of its answer, and the name of the database
# those of the answer to the first statement of a connection, both in hexadecimal digits. Its connections go on until they are closed.
package FakeServer;
use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use POSIX ();

our @EXPORT_OK = qw(message columns row tag ready report status digits);

sub new
{
	my ($class) = @_;
	my $listener = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
	my $parent = $$;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		local $SIG{PIPE} = 'IGNORE';
		serve($listener, $parent);
		POSIX::_exit(0);
	}
	return bless { pid => $pid, port => $listener->sockport, parent => $parent }, $class;
}

sub port { return $_[0]{port} }

sub DESTROY
{
	my ($self) = @_;
	return unless $$ == $self->{parent};
	kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

# Messages of the server.
sub message { my ($type, $body) = @_; return $type . pack('N', length($body // '') + 4) . ($body // '') }
# Each: [name, type, modifier].
sub columns { return message('T', pack('n', scalar @_) . join '', map { pack('Z*NnNnNn', $_->[0], 0, 0, $_->[1], 65535, ($_->[2] // -1) & 0xFFFFFFFF, 0) } @_) }
sub row { return message('D', pack('n', scalar @_) . join '', map { defined $_ ? pack('N/a*', $_) : pack('N', 0xFFFFFFFF) } @_) }
sub tag { return message('C', "$_[0]\0") }
sub ready { return message('Z', $_[0] // 'I') }
# Fields by their letters: an error, or a notice.
sub report { my ($type, %fields) = @_; return message($type, join('', map { "$_$fields{$_}\0" } sort keys %fields) . "\0") }
sub status { my ($name, $value) = @_; return message('S', "$name\0$value\0") }

# Bytes as they are told in a statement, in quotes.
sub digits { return unpack 'H*', join '', @_ }

sub serve
{
	my ($listener, $parent) = @_;
	my $select = IO::Select->new($listener);
	my %clients;
	while (getppid == $parent)
	{
		for my $socket ($select->can_read(1))
		{
			if ($socket == $listener)
			{
				my $client = $listener->accept or next;
				$select->add($client);
				$clients{$client} = { received => '', sent => '', prepared => {}, begun => 0 };
				next;
			}
			my $client = $clients{$socket};
			if (sysread($socket, $client->{received}, 65536, length $client->{received})) { obey($socket, $client) }
			else { $select->remove($socket); delete $clients{$socket}; close $socket }
		}
	}
	return;
}

sub say_bytes
{
	my ($socket, $bytes) = @_;
	my $at = 0;
	while ($at < length $bytes) { $at += syswrite($socket, $bytes, length($bytes) - $at, $at) || return }
	return;
}

sub greet
{
	my ($socket, $client, $body) = @_;
	my ($version, @options) = unpack 'N(Z*)*', $body;
	return say_bytes($socket, 'N') if $version == 80877103 || $version == 80877104;
	return if $version != 196608;
	my %options = (@options, @options % 2 ? '' : ());
	$client->{begun} = 1;
	$client->{first} = $options{database} =~ /^[0-9a-f]{2,}$/ ? pack('H*', $options{database}) : tag('SELECT 0') . ready();
	my %reported = (server_version => '15.0', client_encoding => 'UTF8', standard_conforming_strings => 'on', DateStyle => 'ISO, MDY', IntervalStyle => 'postgres',
		integer_datetimes => 'on', server_encoding => 'UTF8');
	return say_bytes($socket, message('R', pack 'N', 0) . join('', map { status($_, $reported{$_}) } sort keys %reported) . message('K', pack 'NN', 1, 2) . ready());
}

sub answer_of
{
	my ($client, $sql) = @_;
	my $first = delete $client->{first};
	return $first if defined $first;
	return $sql =~ /'([0-9a-f]+)'/ ? pack('H*', $1) : tag('SELECT 0');
}

sub obey
{
	my ($socket, $client) = @_;
	for (;;)
	{
		my $head = $client->{begun} ? 5 : 4;
		return if length $client->{received} < $head;
		my $length = unpack('N', substr $client->{received}, $head - 4, 4) + $head - 4;
		return if length $client->{received} < $length;
		my $whole = substr $client->{received}, 0, $length, '';
		my ($type, $body) = (substr($whole, 0, 1), substr $whole, $head);
		if (!$client->{begun}) { greet($socket, $client, $body) }
		elsif ($type eq 'Q') { say_bytes($socket, answer_of($client, $body)) }
		elsif ($type eq 'P') { my ($name, $sql) = unpack 'Z*Z*', $body; $client->{prepared}{$name} = answer_of($client, $sql); $client->{sent} .= message('1') }
		elsif ($type eq 'D') { $client->{sent} .= message('t', pack 'n', 0) . message('n') if $body =~ /^S/ }
		elsif ($type eq 'B') { my (undef, $name) = unpack 'Z*Z*', $body; @$client{ 'sent', 'told' } = ($client->{prepared}{$name}, 1) }
		elsif ($type eq 'S') { say_bytes($socket, $client->{sent} . ($client->{told} ? '' : ready())); @$client{ 'sent', 'told' } = ('', 0) }
	}
}

1;
