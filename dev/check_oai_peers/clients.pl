#!/usr/bin/env perl
# One of the world's clients takes a list: a line for each record, as clients.py does.
#
#     perl clients.pl httpoai|catmandu URL [from=STAMP] [set=SPEC]
use strict;
use warnings;

my ($name, $url, @arguments) = @ARGV;
my %arguments = map { split /=/, $_, 2 } @arguments;
my $show = sub { print join("\t", $_[0], $_[1], ($_[2] // '') eq 'deleted' ? 1 : 0), "\n" };

if ($name eq 'httpoai') {
    require HTTP::OAI;
    my $client = HTTP::OAI::Harvester->new(baseURL => $url);
    my $list = $client->ListRecords(
        metadataPrefix => 'oai_dc', %arguments,
        onRecord => sub {
            my $record = shift;
            $show->($record->identifier, $record->datestamp, $record->status);
        },
    );
    die $list->message . "\n" if $list->is_error;
} else {
    require Catmandu;
    my $importer = Catmandu->importer(
        'OAI', url => $url, metadataPrefix => 'oai_dc', handler => 'raw', %arguments,
    );
    $importer->each(sub {
        my $record = shift;
        $show->($record->{_identifier}, $record->{_datestamp}, $record->{_status});
    });
}
