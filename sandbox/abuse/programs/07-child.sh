sleep 600 &
(sleep 600; echo late) &
echo "held a child with stdout open: nobody waits for it"
